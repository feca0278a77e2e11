package desired

import (
	"encoding/json"
	"errors"
	"time"
)

// Duration is a time.Duration that is written in JSON as time.ParseDuration reads it ("10s").
type Duration time.Duration

// MarshalJSON writes d as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a string such as "10s".
func (d *Duration) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return errDuration
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return errDuration
	}
	*d = Duration(v)
	return nil
}

// errDuration is for those who wrote it, next to the name of the field.
var errDuration = errors.New(`must be a duration in quotes, such as "10s" or "1m30s"`)
