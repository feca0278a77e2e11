// Package docs prints the reference of what users meet, by topic. The text of a topic is the
// package comment of the package that it is about, from the first heading on: what stands before
// that is for whoever works on the package.
package docs
