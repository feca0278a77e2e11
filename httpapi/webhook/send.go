package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"lightd/desired/metadata"
)

const (
	// sendTime bounds one attempt, from the connection to the end of the answer.
	sendTime = 10 * time.Second
	// maxAnswer is what is read of an answer at most, in bytes, so that the connection can be used again.
	maxAnswer = 64 << 10
	// maxRetryAfter bounds the pause that a receiver may ask for.
	maxRetryAfter = time.Hour
)

// statusError is an answer that is no success.
type statusError struct {
	code int
	// after is the pause that the receiver asks for; 0 for none.
	after time.Duration
}

// Error implements error. The text has nothing that the receiver chose but the number.
func (e *statusError) Error() string {
	text := fmt.Sprintf("the receiver answers %d %s", e.code, http.StatusText(e.code))
	if e.code >= 300 && e.code < 400 {
		text += ", and redirects are not followed"
	}
	return text
}

// sender sends the deliveries of one webhook.
type sender struct {
	url, secret, agent string
	client             *http.Client
}

func newSender(c Config, agent string) *sender {
	dialer := &net.Dialer{Timeout: sendTime, Control: checkDial}
	return &sender{url: c.URL, secret: c.Secret, agent: agent, client: &http.Client{
		Timeout: sendTime,
		// Deliveries of a webhook follow each other, so that one connection is enough.
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// close closes the connections that wait for another delivery.
func (s *sender) close() { s.client.CloseIdleConnections() }

// send delivers a body once. The error has nothing of the URL, and no text of the receiver.
func (s *sender) send(ctx context.Context, delivery string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the url is not one that a request can be made of")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", s.agent)
	request.Header.Set("X-Lightd-Delivery", delivery)
	request.Header.Set("X-Lightd-Signature", signature(s.secret, body))
	answer, err := s.client.Do(request)
	if err != nil {
		return classify(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return &statusError{code: answer.StatusCode, after: retryAfter(answer, time.Now())}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // the status has decided
	return nil
}

// signature is the value of X-Lightd-Signature.
func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// classify returns what is said of an error of a request: the error itself can quote what the receiver sent.
func classify(err error) error {
	var refused *addrError
	var failed *url.Error
	var dns *net.DNSError
	var errno syscall.Errno
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &failed) && failed.Timeout():
		return fmt.Errorf("the receiver does not answer within %s", sendTime)
	case errors.As(err, &dns):
		return errors.New("the name of the receiver does not resolve")
	case errors.As(err, &errno):
		return fmt.Errorf("no connection to the receiver: %w", errno)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the receiver ends the connection without an answer")
	}
	if text := ofCertificate(err); text != "" {
		return errors.New(text)
	}
	return errors.New("the receiver gives no answer of HTTP")
}

// ofCertificate says what is wrong with the receiver's certificate; empty for any other error.
func ofCertificate(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return "the certificate of the receiver is of no authority that this machine trusts"
	case errors.As(err, &name):
		return "the certificate of the receiver is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of the receiver has expired, or is not valid yet"
	case errors.As(err, &invalid), errors.As(err, &verification):
		return "the certificate of the receiver is not valid"
	case errors.As(err, &plain):
		return "the receiver does not speak TLS"
	}
	return ""
}

// retryAfter returns the pause that an answer asks for, by RFC 9110, section 10.2.3.
func retryAfter(answer *http.Response, now time.Time) time.Duration {
	text := answer.Header.Get("Retry-After")
	if answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusServiceUnavailable || text == "" {
		return 0
	}
	var pause time.Duration
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		pause = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		pause = at.Sub(now)
	}
	return min(max(pause, 0), maxRetryAfter)
}

// checkDial refuses an address before it is connected to, whatever name it was resolved from.
func checkDial(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	return checkAddr(at.Addr())
}

// addrError is an address that nothing is sent to.
type addrError struct{ addr netip.Addr }

// Error implements error.
func (e *addrError) Error() string {
	return fmt.Sprintf("the address %s is refused: it is link-local, of a cloud's metadata, multicast or unspecified", e.addr)
}

// The networks by which IPv6 reaches IPv4 addresses: NAT64 (RFC 6052) and 6to4 (RFC 3056).
var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// checkAddr refuses addresses that no panel has: those of metadata services, and those that stand for no
// single host. The error is an *addrError.
func checkAddr(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	embedded := addr
	switch b := addr.As16(); {
	case nat64.Contains(addr):
		embedded = netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(addr):
		embedded = netip.AddrFrom4([4]byte(b[2:6]))
	}
	for _, a := range []netip.Addr{addr, embedded} {
		if metadata.Contains(a) || a.IsMulticast() || a.IsUnspecified() {
			return &addrError{addr}
		}
	}
	return nil
}
