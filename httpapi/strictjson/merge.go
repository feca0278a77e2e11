package strictjson

import "maps"

// Merge applies patch to o as a JSON merge patch (RFC 7396) and returns the result.
// Neither operand is changed.
func (o Object) Merge(patch Object) Object {
	merged := maps.Clone(o)
	if merged == nil {
		merged = Object{}
	}
	for key, value := range patch {
		switch v := value.(type) {
		case nil:
			delete(merged, key)
		case Object:
			below, _ := merged[key].(Object)
			merged[key] = below.Merge(v)
		default:
			merged[key] = v
		}
	}
	return merged
}
