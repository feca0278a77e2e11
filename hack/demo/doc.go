// Command demo shows the daemon's main job on real input, for a person to read, as a
// terminal would: it starts the built program on a temporary directory and plays the part
// of an operator at its command line. The container of the API's page is applied from a
// file, broken from outside, healed, looked at for drift, planned for another port, and
// deleted.
//
// What lightd prints is what it prints. Other commands are done by the demo itself, Docker's
// through its API, and shown as what a person would type for the same.
//
// It promises to end with a failure if anything is not as it should be, and to leave
// nothing behind: no process, container, image or file, however it ends.
package main
