package desired

import "encoding/json"

// Mount is a path of the host that a container sees. In JSON it is the path alone where it may be written
// to, as it was before there was a choice: clients, stored specs and the hashes of both know it so.
type Mount struct {
	Source   string `json:"source"`
	ReadOnly bool   `json:"read_only"`
}

// mountObject is a Mount that says more than its path.
type mountObject Mount

// MarshalJSON is part of json.Marshaler.
func (m Mount) MarshalJSON() ([]byte, error) {
	if !m.ReadOnly {
		return json.Marshal(m.Source)
	}
	return json.Marshal(mountObject(m))
}

// UnmarshalJSON is part of json.Unmarshaler.
func (m *Mount) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		return json.Unmarshal(data, (*mountObject)(m))
	}
	m.ReadOnly = false
	return json.Unmarshal(data, &m.Source)
}
