// Package selector selects containers by their labels: "key", "!key", "key=value", "key!=value",
// "key in (a,b)" and "key notin (a,b)", separated by commas.
//
// It guarantees that every label can be selected, whatever characters it has, as a backslash takes the
// meaning from a character; and that what the grammar of Kubernetes refuses is refused, by the
// name of the part. Package labels of apimachinery cannot serve here: it refuses every label that is no
// qualified name of Kubernetes, and the labels of a container may be any text.
package selector
