// Package wait waits until a container is as a write wants it, or will not be.
//
// Judge decides, without input or output: whether a goal holds for the generation of a
// write, whether nothing that the controller does will bring it about, or neither. A Room
// holds waits and judges them whenever something of their container changes.
//
// What it guarantees:
//
//   - A wait that is armed in the transaction of its write is judged by every state that
//     is recorded from then on, one after the other: what came true for a moment only is
//     not missed, and nothing is asked at intervals.
//   - A process without a start pattern counts as running once it has lasted a second, and one
//     that ended sooner makes the wait for it one in vain.
//   - What needs somebody's hand ends a wait: patience says which reasons do, and how long each must have
//     stood since the wait began.
//   - A verdict is final, and each wait gets one for each of its targets, or none.
//   - At most so many waits are held as a Room was made for, and one that was left is
//     forgotten.
package wait
