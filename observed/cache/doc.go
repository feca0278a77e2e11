// Package cache keeps the state of the containers of our instance, as Docker shows it, in memory.
//
// What it guarantees:
//
//   - Reading never touches Docker.
//   - What it shows was true when the snapshot's At was set, or later. News of an older
//     time never covers newer ones, in whatever order responses and events arrive.
//   - An event only names the id to inspect, with one exception: the end of the process of
//     the known run is shown at once, exit code included, because Docker delays
//     an inspect for a while after an exit. An inspection follows it all the same.
//   - Changed is called after the cache shows the news, never before.
//   - An end that is found after the events were lost is marked so: the engine may have
//     been restarted unobserved.
//   - Each id is inspected once at a time, and a Refresh during an inspection makes another follow.
//   - Containers that do not change cost no call between two lists. Only what a list shows to
//     differ is inspected, and with each list a twelfth of the rest, so that what no
//     list shows is found within an hour. After the engine was unreachable everything is inspected.
//   - The engine is down when a list got no response, not when a stream of events broke. One that hangs is found
//     by a ping every 30 s, which has a deadline, and a list when that is not answered.
package cache
