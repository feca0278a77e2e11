// Package startpattern matches a pattern with the output of one run of a container: a container with
// a start pattern has started once its pattern has matched.
//
// What it promises:
//
//   - A pattern is matched with every line of the run that it is expected of, also with those that
//     were written before the daemon read the output: they are read from Docker's log. Each line counts as it shows in a terminal and in every state that comes to an
//     end (package screen), an open one when it is quiet for 50 ms.
//   - Memory is bounded whatever the program writes.
//   - Output is matched without any lock, and what a pattern costs is bounded: by the size of its program
//     (desired.CheckPattern), by the length of the lines that are matched with a large one, and in all by
//     a fifth of a core for each expensive pattern and one core for all of them. A container whose
//     output waits to be matched waits in its next write; nobody else does.
//   - The output is read while a pattern is expected, and a second longer.
//
// # Echo
//
// A terminal echoes what is typed, and so does a program with a line editor; the daemon cannot turn that
// off. So what goes to a terminal is kept for a while, and the end of a line that is the same is
// no output: of a line that ended once, within 10 s, so that the same text as an answer counts; of
// the open line always. What stays: text that was typed past this daemon or before its restart,
// and what a line editor brings back from its history, counts as output; where a program turns the
// echo off and answers with the very line that was typed, the first answer does not count.
package startpattern
