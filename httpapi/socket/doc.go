// Package socket serves the WebSockets: what happens to one container, or to all, as
// it happens, and what a client has to say to a container. It serves the output of a
// container as plain text too.
//
// What it guarantees:
//
//   - A client gets the present event first, then the lifecycle events that it missed,
//     then the live ones, in the order of their numbers, none twice and none left out:
//     what a client is sent is read from the journal, and the news that there is some
//     is only a hint.
//   - A client that reads slowly slows nobody else. It loses console text and is told
//     how much; lifecycle events wait for it in the journal; one that takes nothing for
//     a minute is dropped.
//   - What a client sends is handled in its order and answered. Answers that it does
//     not read keep its next messages from being read.
//   - A connection ends with the token that opened it, with the container that it
//     follows, and with the Hub. After Close no goroutine or connection is left.
package socket
