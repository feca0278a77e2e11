package engine

import (
	"errors"
	"regexp"

	"lightd/observed"
	"lightd/observed/credentials"
)

// pullTexts are parts of the engine's messages that identify a fault, first match first, of Docker
// with either image store. What a registry sends can choose among the faults, and no more.
var pullTexts = []struct {
	text  *regexp.Regexp
	fault observed.PullFault
}{
	{regexp.MustCompile(`no space left on device|disk quota exceeded`), observed.PullDiskFull},
	{regexp.MustCompile(`toomanyrequests|(?i:too many requests)|\b429\b`), observed.PullRateLimited},
	{regexp.MustCompile(`i/o timeout|handshake timeout|Client\.Timeout exceeded|deadline exceeded|timeout awaiting`), observed.PullTimeout},
	{regexp.MustCompile(`x509: `), observed.PullUntrusted},
	{regexp.MustCompile(`gave HTTP response to HTTPS client`), observed.PullNoTLS},
	{regexp.MustCompile(`\btls: `), observed.PullTLS},
	{regexp.MustCompile(`no match(ing manifest)? for|no match for platform`), observed.PullNoPlatform},
	{regexp.MustCompile(`(?i)access denied|unauthorized|\bdenied\b|forbidden|no basic auth credentials|authentication required|\b40[13]\b`), observed.PullDenied},
	{regexp.MustCompile(`unable to decode token response|no token\b`), observed.PullBadAnswer},
	{regexp.MustCompile(`unexpected EOF|\bshort read\b|download failed after attempts=\d+: EOF$`), observed.PullCutOff},
	{regexp.MustCompile(`\bdial (tcp|udp)|\blookup \S+|connection re(fused|set)|no such host|no route to host|network is unreachable|\bEOF$`), observed.PullUnreachable},
	{regexp.MustCompile(`could not fetch content descriptor \S+ \(text/`), observed.PullBadAnswer},
	{regexp.MustCompile(`unknown blob|blob unknown|could not fetch content descriptor`), observed.PullIncomplete},
	{regexp.MustCompile(`manifest unknown|name unknown|not found|not known to registry|\b404\b`), observed.PullNotFound},
	{regexp.MustCompile(`HTTP status: 5\d\d\b|error parsing HTTP 5\d\d\b|unexpected status\b.*: 5\d\d\b`), observed.PullServerError},
	{regexp.MustCompile(`unexpected|invalid|error parsing|malformed|missing|unsupported|verification failed|failed size validation|unable to decode|\bdigest\b|stopped after \d+ redirects|\b5\d\d\b`), observed.PullBadAnswer},
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
func PullFaultOf(err error) observed.PullFault {
	if errors.Is(err, credentials.ErrUnreadable) {
		return observed.PullNoCredentials
	}
	class := Classify(err)
	if class == Unavailable {
		return observed.PullEngineUnavailable
	}
	message := clip(err.Error())
	for _, known := range pullTexts {
		if known.text.MatchString(message) {
			return known.fault
		}
	}
	switch class {
	case NotFound:
		return observed.PullNotFound
	case Refused:
		return observed.PullDenied
	}
	return observed.PullFailed
}
