// Package observed holds what is: containers and images as Docker shows them.
//
// Its values are plain and carry the time at which they were true. Collecting them
// makes no choices; choosing is the plan's job. The packages below it each do one
// thing: engine speaks to Docker, cache keeps the values current, console carries
// output, input and figures, snapshots keeps copies of installations, status and journal keep what the controller recorded.
package observed
