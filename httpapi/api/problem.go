package api

import "lightd/observed/status"

// Problem is the body of every answer that is a refusal.
type Problem struct {
	// Sentence says what is wrong, for people; Code is a stable word.
	Sentence string   `json:"error"`
	Code     string   `json:"code"`
	Details  []Detail `json:"details,omitempty"`
	// State is that of a container whose state forbids what was asked for.
	State status.State `json:"state,omitempty"`
}

// Detail says what is wrong with one field of a request.
type Detail struct {
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// Ready answers GET /readyz: what is not urgent yet is among the warnings.
type Ready struct {
	Status   string   `json:"status"`
	Warnings []Detail `json:"warnings,omitempty"`
}
