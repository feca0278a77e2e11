// Package harness is what tests of several packages set up alike: a simulated engine, a client of the real one, the
// images and addresses that the tier e2e finds, and what each test needs besides. Package eventually is how they wait.
package harness
