// Package cache keeps what Docker says of the containers of our instance, in memory.
//
// What it guarantees:
//
//   - Reading never touches Docker.
//   - What it shows was true when the snapshot's At was taken, or later. News of an older
//     time never covers newer ones, in whatever order answers and events arrive.
//   - An event only says which id to look at, with one exception: the end of the process of
//     the very run that is known is shown at once, exit code included, because Docker keeps
//     an inspect waiting for a while after an exit. A look follows it all the same.
//   - Changed is called after the cache shows the news, never before.
//   - An end that comes to light after the events were lost is marked so: the engine may have
//     been restarted without being missed.
//   - Each id is looked at once at a time, and a Refresh during a look makes another follow.
//   - Containers that do not change cost no call between two lists. Lists say what differs,
//     and only that is inspected, and with each list a twelfth of the rest, so that what no
//     list shows is found within an hour. After the engine was away everything is inspected
//     but what was recorded as in order and is shown to be in the same run.
//   - The engine is called down when a list failed for want of an answer, not when a stream
//     of events broke.
package cache
