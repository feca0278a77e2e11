package engine

import (
	"errors"
	"regexp"

	"lightd/observed/credentials"
)

// PullFault is why the engine could not pull an image, in one of few sentences. None has anything of
// what a registry answered: that may be the answer of whatever the reference, or the token service
// that a registry names, led to.
type PullFault string

// The faults of a pull.
const (
	PullEngineUnavailable PullFault = "the engine does not answer"
	PullDiskFull          PullFault = "the engine has no space left on a disk"
	PullRateLimited       PullFault = "the registry limits the rate of pulls"
	PullTimeout           PullFault = "the registry does not answer in time"
	PullTLS               PullFault = "TLS with the registry fails"
	PullNoPlatform        PullFault = "the registry has no such image for this platform"
	PullDenied            PullFault = "the registry denies access, or has no such image"
	PullUnreachable       PullFault = "the registry is unreachable"
	PullNotFound          PullFault = "the registry has no such image"
	PullBadAnswer         PullFault = "the registry sends a bad answer"
	PullNoCredentials     PullFault = "the credentials for the registry cannot be read"
	PullFailed            PullFault = "the engine fails"
)

// pullTexts are parts of the engine's messages that identify a fault, first match first, of Docker
// with either image store. What a registry sends can choose among the faults, and no more.
var pullTexts = []struct {
	text  *regexp.Regexp
	fault PullFault
}{
	{regexp.MustCompile(`no space left on device|disk quota exceeded`), PullDiskFull},
	{regexp.MustCompile(`toomanyrequests|(?i:too many requests)|\b429\b`), PullRateLimited},
	{regexp.MustCompile(`i/o timeout|handshake timeout|Client\.Timeout exceeded|deadline exceeded|timeout awaiting`), PullTimeout},
	{regexp.MustCompile(`x509: |\btls: |gave HTTP response to HTTPS client`), PullTLS},
	{regexp.MustCompile(`no match(ing manifest)? for|no match for platform`), PullNoPlatform},
	{regexp.MustCompile(`(?i)access denied|unauthorized|\bdenied\b|forbidden|no basic auth credentials|authentication required|\b40[13]\b`), PullDenied},
	{regexp.MustCompile(`\bdial (tcp|udp)|\blookup \S+|connection re(fused|set)|no such host|no route to host|network is unreachable|\bEOF$`), PullUnreachable},
	{regexp.MustCompile(`manifest unknown|name unknown|blob unknown|not found|not known to registry|\b404\b`), PullNotFound},
	{regexp.MustCompile(`unexpected|invalid|error parsing|malformed|missing|unsupported|verification failed|unable to decode|\bdigest\b|no token|\b5[0-9][0-9]\b`), PullBadAnswer},
}

// clip keeps the beginning and the end of a message: a registry may answer with a page, each byte of which
// would be matched against each of pullTexts.
func clip(message string) string {
	const most = 4 << 10
	if len(message) <= 2*most {
		return message
	}
	return message[:most] + "\n" + message[len(message)-most:]
}

// PullFaultOf returns the fault of an error of Pull.
func PullFaultOf(err error) PullFault {
	if errors.Is(err, credentials.ErrUnreadable) {
		return PullNoCredentials
	}
	class := Classify(err)
	if class == Unavailable {
		return PullEngineUnavailable
	}
	message := clip(err.Error())
	for _, known := range pullTexts {
		if known.text.MatchString(message) {
			return known.fault
		}
	}
	switch class {
	case NotFound:
		return PullNotFound
	case Refused:
		return PullDenied
	}
	return PullFailed
}

// Answered reports whether f is an answer that the registry gives again to the next request: who asks
// for the same image soon only burdens it.
func (f PullFault) Answered() bool {
	switch f {
	case PullRateLimited, PullTLS, PullNoPlatform, PullDenied, PullNotFound, PullBadAnswer:
		return true
	}
	return false
}
