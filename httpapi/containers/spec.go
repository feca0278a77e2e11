package containers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gin-gonic/gin"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lightd/desired"
	"lightd/httpapi/rest"
	"lightd/httpapi/strictjson"
)

// ReadOnly are the fields that a GET returns and no write takes: they are passed over,
// so that what was read can be changed and written back.
var ReadOnly = []string{
	"container_id", "install_state", "state", "conditions", "generation", "observed_generation",
	"restarts", "summary", "last_exit", "next_attempt_at", "attempt", "deleting", "created_at", "updated_at",
}

// envHidden marks a container that was read without the values of its environment. Written back, it would
// lose them.
const envHidden = "env_hidden"

// specBody is a spec as a client writes it.
type specBody struct {
	*desired.Spec
	// Power is nil where the body has none: the store leaves it as it is, as who describes the rest
	// of a container stops nothing.
	Power *desired.Power `json:"power"`
	// Mount is read by the rules of a request.
	Mount map[string]mountBody `json:"mount"`
	// Others may be those of ReadOnly.
	Others map[string]jsontext.Value `json:",embed"`
}

// mountBody is a mount as a client writes it: the path, or an object.
type mountBody desired.Mount

// UnmarshalJSONFrom is part of json.UnmarshalerFrom.
func (m *mountBody) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case jsontext.KindBeginObject:
	case jsontext.KindString, jsontext.KindNull:
		return jsonv2.UnmarshalDecode(dec, &m.Source)
	default:
		return &jsonv2.SemanticError{JSONPointer: dec.StackPointer(), Err: errors.New("must be a path of the host, or an object with source and read_only")}
	}
	var object struct {
		Source   *string `json:"source"`
		ReadOnly bool    `json:"read_only"`
	}
	if err := jsonv2.UnmarshalDecode(dec, &object); err != nil {
		return err
	}
	if object.Source == nil {
		return &jsonv2.SemanticError{JSONPointer: dec.StackPointer().AppendToken("source"), Err: errors.New("is required")}
	}
	*m = mountBody{Source: *object.Source, ReadOnly: object.ReadOnly}
	return nil
}

// decodeSpec reads the spec in a body over the defaults; id is that of the path, if it has one.
func (h *Handlers) decodeSpec(c *gin.Context, id string) (desired.Spec, error) {
	spec := h.defaults.Clone()
	spec.InternalID = id
	object, err := rest.Object(c)
	if err != nil {
		return spec, err
	}
	return spec, bindSpec(object, &spec)
}

// bindSpec reads a spec over the one in spec, which has the defaults.
func bindSpec(object strictjson.Object, spec *desired.Spec) error {
	body := specBody{Spec: spec}
	if err := object.Bind(&body); err != nil {
		return err
	}
	spec.Power = ""
	if body.Power != nil {
		spec.Power = *body.Power
	}
	if body.Mount != nil {
		spec.Mount = make(map[string]desired.Mount, len(body.Mount))
		for target, m := range body.Mount {
			spec.Mount[target] = desired.Mount(m)
		}
	}
	return body.check()
}

// check refuses an empty power, which the store would take for none, and members that are neither
// fields of a spec nor read-only.
func (b specBody) check() error {
	var refused strictjson.Error
	var empty *desired.ValidationError
	if b.Power != nil && *b.Power == "" && errors.As(b.Power.Validate(), &empty) {
		refused.Refuse(empty.Fields[0].Field, empty.Fields[0].Message)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Others)) {
		if name == envHidden {
			refused.Refuse(name, "says that the values of env are not those of the container: they were hidden from the token that read this")
			continue
		}
		if !slices.Contains(ReadOnly, name) {
			refused.Refuse(name, "is not a known field")
		}
	}
	return refused.OrNil()
}

var errOtherID = rest.Invalid(rest.Detail{Field: "internal_id", Message: "must be the one in the path"})

// patched applies a JSON merge patch to a spec. A field that the patch removes is as one that a
// PUT leaves out.
func patched(spec, defaults desired.Spec, patch strictjson.Object) (desired.Spec, error) {
	names := specBody{Spec: &desired.Spec{}}
	if err := cmp.Or(patch.CheckNames(&names), names.check()); err != nil {
		return desired.Spec{}, err
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return desired.Spec{}, fmt.Errorf("encode spec of %s: %w", spec.InternalID, err)
	}
	merged, err := strictjson.Object(data).MergePatch(patch)
	if err != nil {
		return desired.Spec{}, fmt.Errorf("patch spec of %s: %w", spec.InternalID, err)
	}
	result := defaults.Clone()
	result.InternalID = spec.InternalID
	return result, bindSpec(merged, &result)
}
