// Package render puts values before people and scripts: tables, YAML, JSON, differences.
//
// It guarantees that no character of a value that a terminal would obey, an escape code, a
// line break or a change of direction, reaches the output as it is: a table has one line a
// row, and nothing in it moves the cursor. JSON and YAML carry such characters escaped, so
// that a program reads them back unchanged.
package render
