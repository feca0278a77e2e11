// Package drift says where a container of Docker differs from what it should be made as,
// field by field.
//
// It is pure: it compares a blueprint with an observation, and whoever asks gets the same
// answer for the same two. What becomes of a difference is decided in controller/plan,
// which the controller acts by and a report is made from.
//
// What Docker shows and the spec does not have may be somebody's secret: values of
// environment variables that are seen are never told.
package drift
