package containers

import (
	"encoding/json"
	"fmt"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/httpapi/rest"
	"lightd/httpapi/strictjson"
)

// ReadOnly are the fields that a GET returns and no write takes: they are passed over,
// so that what was read can be changed and written back.
var ReadOnly = []string{
	"container_id", "install_state", "state", "conditions", "generation", "observed_generation",
	"restarts", "last_exit", "next_attempt_at", "attempt", "deleting", "created_at", "updated_at",
}

// decodeSpec reads the spec in a body over the defaults; id is that of the path, if it has one.
func (h *Handlers) decodeSpec(c *gin.Context, id string) (desired.Spec, error) {
	spec := h.defaults.Clone()
	spec.InternalID = id
	object, err := rest.Object(c)
	if err != nil {
		return spec, err
	}
	return spec, bindWhole(object, &spec)
}

// bindWhole reads the spec that a container is to have. What it says nothing of has the default,
// but for the power: that has verbs of its own, and who describes the rest stops nothing. The
// store leaves it as it is.
func bindWhole(object strictjson.Object, spec *desired.Spec) error {
	if err := object.Bind(spec, ReadOnly...); err != nil {
		return err
	}
	return leavePower(object, spec)
}

// leavePower empties the power of a spec that says nothing of it, and refuses one that is empty.
func leavePower(object strictjson.Object, spec *desired.Spec) error {
	switch {
	case object["power"] == nil:
		spec.Power = ""
	case spec.Power == "":
		return spec.Power.Validate()
	}
	return nil // any other the store refuses, with all else that is wrong
}

var errOtherID = rest.Invalid(rest.Detail{Field: "internal_id", Message: "must be the one in the path"})

// merged applies a JSON merge patch to a spec. A field that the patch removes is as one that a
// PUT leaves out.
func merged(spec, defaults desired.Spec, patch strictjson.Object) (desired.Spec, error) {
	if err := patch.CheckNames(&spec, ReadOnly...); err != nil {
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
