// Package certs keeps the certificate that the daemon serves, and the authorities whose client
// certificates it accepts.
//
// What it guarantees: a handshake uses a complete pair. The files are read again every few seconds, and
// compared by content, so that it does not matter whether they were written, renamed or linked anew; a
// pair that cannot be used is logged once, and the one before stays.
package certs
