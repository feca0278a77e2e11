// Package strictjson reads one JSON object from a client and accepts nothing that two
// readers could understand differently.
//
// It guarantees that what Parse accepts is one object with nothing after it, is valid
// UTF-8 without NUL or unpaired surrogates even in escapes, names no key twice, holds
// no null in a list, and nests at most MaxDepth deep; and that Bind fills exactly the fields that
// the type names, by their exact spelling, with values of their exact kind and range.
// A null member leaves its field as it was, so that decoding over a value of defaults
// makes null mean the default. An empty list where an object is meant is the empty object, as PHP has no
// other way to write one. Every refusal names the field by its path; of one object the first fault
// is named. The reading itself is that of package json, version 2.
package strictjson
