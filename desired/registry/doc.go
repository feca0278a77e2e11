// Package registry decides from which addresses images may be pulled that an operator has not listed.
// The engine sends its requests as root of the host's network, so that a reference such as
// 169.254.169.254/latest/x would reach what its author cannot: only public addresses pass.
package registry
