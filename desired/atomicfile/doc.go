// Package atomicfile replaces small files that hold secrets or settings. Whoever reads one meets the
// former content or the new one, whole, whatever crashes when.
package atomicfile
