package api

import "time"

// Token is what is known of a token, which is everything but the token itself.
type Token struct {
	// ID names the token, and is no secret.
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	// Containers and Selector are what the token is for: containers of these ids, if there are any,
	// whose labels match the selector, if there is one.
	Containers []string `json:"containers"`
	Selector   string   `json:"selector"`
	Quota      *Quota   `json:"quota,omitempty"`
	SingleUse  bool     `json:"single_use"`
	// Used reports that a single-use token was used.
	Used bool `json:"used"`
	// Creator is the id of the token that made it. It is empty, as CreatedAt is zero, of a token that
	// an earlier version made.
	Creator   string    `json:"creator"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	// ExpiresAt is when it ends: with its master token, where that ends before.
	ExpiresAt time.Time `json:"expires_at"`
	// LastUsedAt and LastUsedFrom are the time and the address of the last use.
	LastUsedAt   time.Time `json:"last_used_at,omitzero"`
	LastUsedFrom string    `json:"last_used_from,omitempty"`
}

// FormerMaster is a master token that was replaced and still holds.
type FormerMaster struct {
	// Until is when it ends, and Tokens how many were made with it and end with it, at the latest.
	Until  time.Time `json:"until"`
	Tokens int       `json:"tokens"`
}

// Quota is the most that a token lets there be: containers that it is for, ports of their specs, and
// volumes that they name or that it has made. What is absent is not bounded.
type Quota struct {
	Containers *int `json:"containers,omitempty"`
	Ports      *int `json:"ports,omitempty"`
	Volumes    *int `json:"volumes,omitempty"`
}

// CreatedToken answers the creation of a token: the one time that its text is shown.
type CreatedToken struct {
	Text string `json:"token"`
	Token
}

// TokenSpec asks for a token.
type TokenSpec struct {
	Name string `json:"name,omitempty"`
	// TTL is a number and s, m, h or d, at most 30d.
	TTL string `json:"ttl"`
	// Scopes are everything but admin where none is given.
	Scopes     []string `json:"scopes,omitempty"`
	Containers []string `json:"containers,omitempty"`
	Selector   string   `json:"selector,omitempty"`
	// Quota is for a token for some containers without the scope admin.
	Quota     *Quota `json:"quota,omitempty"`
	SingleUse bool   `json:"single_use,omitempty"`
	// RemoveOnUse is the former name of SingleUse.
	RemoveOnUse bool `json:"remove_on_use,omitempty"`
}
