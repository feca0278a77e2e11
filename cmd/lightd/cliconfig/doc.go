// Package cliconfig finds out which daemon a command talks to, and with which token.
//
// Strongest first, a daemon is given by flag, by environment, by the current context of the
// contexts file; else it is the one of this machine. A token stays with the daemon that it
// was given for: that of a context goes to no other address, and that of this machine's
// daemon to no other machine. No token is ever needed on the command line.
package cliconfig
