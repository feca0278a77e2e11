// Package streams takes the framing of Docker off the output of a container.
package streams
