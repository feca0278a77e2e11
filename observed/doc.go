// Package observed holds what is: containers and images as Docker shows them.
//
// Its values are plain and carry the time at which they were true. Collecting them
// makes no decisions; those are the plan's job. The packages below it each do one
// thing: engine calls Docker, cache keeps the values current, console carries
// output, input and stats, snapshots keeps copies of installations, status and journal define
// what the controller records, and records keeps it.
package observed
