//go:build !race

package main

// raceMemory is how many times more memory a program needs with the race detector.
const raceMemory = 1
