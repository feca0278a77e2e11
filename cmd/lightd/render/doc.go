// Package render formats values for people and scripts: tables, YAML, JSON, differences.
//
// It guarantees that no control character of a value, an escape code, a
// line break or a change of direction, reaches the output unescaped: a table has one line a
// row, and nothing in it moves the cursor. JSON and YAML carry such characters escaped, so
// that a program reads them back unchanged.
package render
