package httpapi

import (
	"encoding/json"
	"fmt"

	"lightd/desired"
	"lightd/httpapi/strictjson"
)

// merged applies a JSON merge patch to a spec. A field that the patch removes is as one that a
// PUT leaves out.
func merged(spec, defaults desired.Spec, patch strictjson.Object) (desired.Spec, error) {
	if err := patch.CheckNames(&spec, readOnly...); err != nil {
		return desired.Spec{}, err
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return desired.Spec{}, fmt.Errorf("encode spec of %s: %w", spec.InternalID, err)
	}
	object, err := strictjson.Parse(data)
	if err != nil {
		return desired.Spec{}, fmt.Errorf("read spec of %s: %w", spec.InternalID, err)
	}
	result := defaults.Clone()
	result.InternalID = spec.InternalID
	return result, bindWhole(object.Merge(patch), &result)
}
