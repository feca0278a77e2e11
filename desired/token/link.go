package token

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lightd/desired"
	"lightd/desired/kv"
)

// Link is what a signed link allows without a token: one method on one file of a volume, for minutes.
type Link struct {
	Method string `json:"m"`
	Volume string `json:"v"`
	Path   string `json:"p"`
	// MaxBytes bounds what is uploaded; 0 is no bound.
	MaxBytes int64 `json:"n,omitempty"`
	// ExpiresAt is when it ends, in seconds since 1970.
	ExpiresAt int64 `json:"e"`
}

// The life of a link.
const (
	LinkTTL    = 5 * time.Minute
	MaxLinkTTL = time.Hour
)

// claims are what a link is signed with: itself, and the token and the master token that it ends with.
type claims struct {
	Link
	By     string `json:"b"`
	Master string `json:"k"`
}

const (
	// linkKeySize is in bytes, as is that of a signature: of HMAC with SHA-256 (RFC 2104).
	linkKeySize = sha256.Size
	// maxLink bounds the text of a link: a path of 4095 bytes in JSON, escaped, in base64.
	maxLink = 40 << 10
)

// linkKeyName is where the key that links are signed with is kept.
var linkKeyName = []byte("m/links")

// SignLink returns the text of a link, which ends with the token of g too. Nobody stores it.
func (k *Keeper) SignLink(ctx context.Context, g Grant, l Link) (string, error) {
	c := claims{Link: l, By: g.ID}
	var key []byte
	read := func(tx *kv.Tx) (err error) {
		if c.Master, err = k.rootOf(tx, g); err == nil {
			key, err = tx.Get(linkKeyName)
		}
		return err
	}
	err := k.db.View(read)
	if errors.Is(err, kv.ErrNotFound) { // it is the first one
		err = k.db.Update(ctx, func(tx *kv.Tx) error {
			if err := read(tx); !errors.Is(err, kv.ErrNotFound) {
				return err
			}
			key = make([]byte, linkKeySize)
			_, _ = rand.Read(key) // it never fails
			return tx.Set(linkKeyName, key)
		})
	}
	if err != nil {
		return "", fmt.Errorf("sign link: %w", err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("sign link: %w", err)
	}
	return encodeLink(data) + "." + encodeLink(sign(key, data)), nil
}

func encodeLink(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func sign(key, data []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("lightd link\n"))
	mac.Write(data)
	return mac.Sum(nil)
}

// OpenLink returns what a link of a method allows, and what the token does that it was made by; ErrUnknown where
// the link, or that token, holds no more.
func (k *Keeper) OpenLink(text, method string) (Link, Grant, error) {
	if len(text) > maxLink {
		return Link{}, Grant{}, ErrUnknown
	}
	body, signature, _ := strings.Cut(text, ".")
	data, err := base64.RawURLEncoding.Strict().DecodeString(body)
	given, badSignature := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || badSignature != nil {
		return Link{}, Grant{}, ErrUnknown
	}
	var key []byte
	err = k.db.View(func(tx *kv.Tx) (err error) {
		key, err = tx.Get(linkKeyName)
		return err
	})
	if errors.Is(err, kv.ErrNotFound) {
		return Link{}, Grant{}, ErrUnknown // none was ever signed
	}
	if err != nil {
		return Link{}, Grant{}, err
	}
	var c claims
	if len(key) != linkKeySize || !hmac.Equal(given, sign(key, data)) || json.Unmarshal(data, &c) != nil {
		return Link{}, Grant{}, ErrUnknown
	}
	g, holds := k.grantOf(c)
	if !holds || c.Method != method || !time.Now().Before(time.Unix(c.ExpiresAt, 0)) {
		return Link{}, Grant{}, ErrUnknown
	}
	return c.Link, g, nil
}

// grantOf returns what the token allows that has made a link, if it holds.
func (k *Keeper) grantOf(c claims) (Grant, bool) {
	masters, _ := k.master.keys()
	i := slices.IndexFunc(masters, func(m masterKey) bool { return m.fingerprint == c.Master })
	if i < 0 {
		return Grant{}, false
	}
	if c.By == MasterID {
		return masterGrant(masters[i].hash, masters), true
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	for h, r := range k.tokens {
		if idOf(h) == c.By {
			return r.grant(h), r.holds(time.Now(), masters)
		}
	}
	return Grant{}, false
}

// CheckLinkTTL returns what is wrong with the life of a link.
func CheckLinkTTL(ttl time.Duration) error {
	if ttl <= 0 || ttl > MaxLinkTTL {
		return desired.Invalid("ttl", "must be from 1s to 1h")
	}
	return nil
}
