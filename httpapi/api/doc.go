// Package api holds the shapes of what goes over the HTTP interface, for both of its
// ends. It imports neither a router nor a database nor Docker, so that a program that
// only talks to a daemon brings none of them along.
//
// What is written elsewhere in the same shape is not defined again: desired.Spec,
// status.Condition, journal.Event, plan.Step.
package api
