// Package screen renders a line that a program prints to a terminal as the terminal shows it.
//
// A Line applies what changes the line that it is on: carriage return, backspace, tab, the moves of
// the cursor within the line, erasing, inserting and deleting. Colours, titles and what else
// changes no text are dropped. A move to another row ends the line, as a line feed does.
//
// What it guarantees:
//
//   - Each state of a line is shown that a terminal would have shown long enough to be read: before
//     it is changed other than at its end, and when the line ends.
//   - Time and memory are bounded by the number of bytes, whatever these are: of a line that is
//     longer than 64 KiB the last part is known, and of states that follow each other faster
//     than can be read some are left out.
//   - A line without such characters, which most are, is shown as it was written.
//
// The terminal is taken to be as wide as the line, and each character to be one column wide.
package screen
