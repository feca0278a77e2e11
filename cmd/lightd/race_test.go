//go:build race

package main

// raceMemory is how many times more memory a program needs with the race detector: 5 to 10 times, as
// its documentation has it.
const raceMemory = 5
