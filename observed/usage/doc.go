// Package usage carries the figures of what containers use to those who follow them.
//
// What it promises:
//
//   - Docker computes figures only while a container runs and has a subscriber; however many
//     there are, it has one stream of them. A stream that ends while the process lives is opened again.
//   - A subscriber gets the last known figures at once, later ones about once a second when they
//     differ, and the newest when it is slow: it holds up nobody.
//   - After Close no goroutine, timer or stream is left.
package usage
