// Package check inspects the machine of a daemon for what an operator should put right. Checks is the
// one table of what is inspected; a check reads the machine through a Machine alone and changes nothing.
package check
