package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/gin-gonic/gin"

	"lightd/desired"
	"lightd/desired/token"
	"lightd/httpapi/api"
	"lightd/httpapi/rest"
	"lightd/httpapi/selector"
)

// TokenManager makes, lists and revokes tokens for who has a grant.
type TokenManager interface {
	Create(ctx context.Context, g token.Grant, s token.Spec) (text string, made token.Info, err error)
	List(g token.Grant) []token.Info
	Get(g token.Grant, id string) (token.Info, error)
	Revoke(ctx context.Context, g token.Grant, id string) error
}

// CreateToken is POST /auth/tokens.
func (a *Authenticator) CreateToken(c *gin.Context) error {
	var body api.TokenSpec
	if err := rest.Bind(c, &body); err != nil {
		return err
	}
	spec, err := specOf(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Timeout)
	defer cancel()
	text, made, err := a.Tokens.Create(ctx, CallerOf(ctx).Grant, spec)
	if err != nil {
		return unauthorized(err) // it was revoked meanwhile
	}
	RequestOf(ctx).Audit.MadeToken = made.ID
	c.Header("Location", "/auth/tokens/"+made.ID)
	return rest.Created(c, api.CreatedToken{Text: text, Token: tokenView(made)})
}

// specOf returns the token that a body asks for, or all that is wrong with it.
func specOf(body api.TokenSpec) (token.Spec, error) {
	spec := token.Spec{
		Name: body.Name, SingleUse: body.SingleUse || body.RemoveOnUse,
		Containers: token.Containers{IDs: body.Containers, Selector: body.Selector},
	}
	var faults desired.ErrorList
	var err error
	if spec.TTL, err = token.ParseTTL(body.TTL); err != nil {
		faults.Take(err)
	}
	if body.Scopes != nil {
		if spec.Scopes, err = token.ParseScopes(body.Scopes); err != nil {
			faults.Take(err)
		}
	}
	if body.Containers != nil && len(body.Containers) == 0 {
		faults.Take(desired.Invalid("containers", "must name at least one, or be left out for all"))
	}
	if body.Quota != nil {
		if spec.Quota = token.Quota(*body.Quota); spec.Quota == (token.Quota{}) {
			faults.Take(desired.Invalid("quota", "must have containers, ports or volumes, or be left out"))
		}
	}
	for i, id := range body.Containers {
		if !desired.ValidID(id) {
			faults.Take(desired.Invalid(fmt.Sprintf("containers[%d]", i), "is no id of a container"))
		}
	}
	if err := faults.Err("request"); err != nil {
		return spec, err
	}
	_, err = selector.Parse(body.Selector)
	return spec, err
}

// ListTokens is GET /auth/tokens.
func (a *Authenticator) ListTokens(c *gin.Context) error {
	p, err := rest.PageOf(c.Request.URL.Query(), "tokens")
	if err != nil {
		return err
	}
	part, next := rest.Cut(p, a.Tokens.List(CallerOf(c.Request.Context()).Grant), func(i token.Info) string { return i.ID })
	body := struct {
		Tokens       []api.Token       `json:"tokens"`
		FormerMaster *api.FormerMaster `json:"former_master,omitempty"`
		Continue     string            `json:"continue,omitempty"`
	}{Tokens: make([]api.Token, 0, len(part)), Continue: next}
	if until, made := a.Tokens.Former(); !until.IsZero() && !CallerOf(c.Request.Context()).Bound() {
		body.FormerMaster = &api.FormerMaster{Until: until.UTC().Truncate(time.Second), Tokens: made}
	}
	for _, info := range part {
		body.Tokens = append(body.Tokens, tokenView(info))
	}
	return rest.OK(c, body)
}

// GetToken is GET /auth/tokens/:id.
func (a *Authenticator) GetToken(c *gin.Context) error {
	info, err := a.Tokens.Get(CallerOf(c.Request.Context()).Grant, c.Param("id"))
	if err != nil {
		return err
	}
	return rest.OK(c, tokenView(info))
}

// RevokeToken is DELETE /auth/tokens/:id.
func (a *Authenticator) RevokeToken(c *gin.Context) error {
	if err := rest.NoBody(c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Timeout)
	defer cancel()
	if err := a.Tokens.Revoke(ctx, CallerOf(ctx).Grant, c.Param("id")); err != nil {
		return err
	}
	return rest.OK(c, map[string]string{"message": "Token revoked"})
}

func tokenView(i token.Info) api.Token {
	scopes := make([]string, len(i.Scopes))
	for n, scope := range i.Scopes {
		scopes[n] = string(scope)
	}
	second := func(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
	var quota *api.Quota
	if i.Quota != (token.Quota{}) {
		quota = (*api.Quota)(&i.Quota)
	}
	return api.Token{
		ID: i.ID, Name: i.Name, Scopes: scopes, Containers: rest.OrEmpty(i.Containers.IDs), Selector: i.Containers.Selector,
		Quota: quota, SingleUse: i.SingleUse, Used: i.Used, Creator: i.Creator, CreatedAt: second(i.CreatedAt), ExpiresAt: second(i.ExpiresAt),
		LastUsedAt: second(i.LastUsedAt), LastUsedFrom: i.LastUsedFrom,
	}
}
