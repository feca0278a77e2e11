// Package faultyregistry is Debian's docker-registry for tests, with proxies before it that misbehave as the
// test says: slow, cut, wrong, hostile.
//
// It guarantees that the registry behind the proxies is a real one, which asks for a password; that a fault
// concerns the repository alone that it was set for; and that each request of a proxy is counted, with the bytes
// that it was answered with.
package faultyregistry
