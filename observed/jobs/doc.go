// Package jobs runs work that takes longer than a request: a few at a time, the others in a queue, each with
// its progress.
//
// What it promises: running and waiting jobs are bounded, and those that have ended are kept up to a number;
// a job that is cancelled ends as soon as its work looks at its context; Close ends all. Jobs are memory, and gone
// with the daemon.
package jobs
