package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strconv"
	"time"

	"lightd/desired"
)

// MaxTTL is the longest lifetime of a temporary token.
const MaxTTL = 30 * 24 * time.Hour

// ErrMalformed answers a text that can be no token.
var ErrMalformed = errors.New("a token is lightd_ followed by at least 13 letters, digits, '_', '-', '.' or '~'")

// 20 characters at least, and of those that need no quoting in a header or a URL.
var pattern = regexp.MustCompile(`^lightd_[A-Za-z0-9_.~-]{13,249}$`)

// WellFormed reports whether text has the form of a token.
func WellFormed(text string) bool { return pattern.MatchString(text) }

// generate returns a new token with 256 random bits.
func generate() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return "lightd_" + base64.RawURLEncoding.EncodeToString(b[:])
}

type hash [sha256.Size]byte

func hashOf(text string) hash { return sha256.Sum256([]byte(text)) }

var ttlPattern = regexp.MustCompile(`^([0-9]{1,8})([smhd])$`)

// ParseTTL parses the lifetime of a temporary token: a number and one of s, m, h and d, such
// as "90m", from 1s to 30d. Its error is a *desired.ValidationError of the field ttl.
func ParseTTL(text string) (time.Duration, error) {
	m := ttlPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, desired.Invalid("ttl", `must be a number and a unit (s, m, h or d), such as "90m"`)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, desired.Invalid("ttl", "must be a number and a unit")
	}
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	// Compared before multiplying, which could overflow.
	if unit := units[m[2]]; n >= 1 && time.Duration(n) <= MaxTTL/unit {
		return time.Duration(n) * unit, nil
	}
	return 0, desired.Invalid("ttl", "must be from 1s to 30d")
}
