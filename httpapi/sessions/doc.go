// Package sessions keeps account of what clients have open at the daemon: streams and
// WebSockets.
//
// What it guarantees:
//
//   - No more are in a Set at once than it was made for, and none after Close.
//   - One whose token holds no longer is told to stop.
//   - Close tells all to stop and returns when they have left. Nothing of the Set goes on
//     after it.
package sessions
