package observed

import "strings"

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
	PullUntrusted         PullFault = "the certificate of the registry is not trusted"
	PullNoTLS             PullFault = "the registry does not speak TLS"
	PullTLS               PullFault = "TLS with the registry fails"
	PullNoPlatform        PullFault = "the registry has no such image for this platform"
	PullDenied            PullFault = "the registry denies access, or has no such image"
	PullUnreachable       PullFault = "the registry is unreachable"
	PullCutOff            PullFault = "the registry cuts off its answers"
	PullNotFound          PullFault = "the registry has no such image"
	PullIncomplete        PullFault = "the registry lacks a part of the image"
	PullServerError       PullFault = "the registry has an error of its own"
	PullBadAnswer         PullFault = "the registry sends a bad answer"
	PullNoCredentials     PullFault = "the credentials for the registry cannot be read"
	PullStalled           PullFault = "the pull stalled: the registry sends nothing, or next to nothing"
	PullStalledHere       PullFault = "the pull stalled: the engine makes no progress with what it has"
	PullFailed            PullFault = "the engine fails"
)

// pullRemedies is what a person can do about each fault.
var pullRemedies = map[PullFault]string{
	PullEngineUnavailable: `"systemctl status docker" on the daemon's machine shows why`,
	PullDiskFull:          `make room on the engine's disk: "docker system df" shows what has it`,
	PullRateLimited:       `wait, or log in to it, which raises the limit: "lightd docs registries"`,
	PullTimeout:           `see whether the registry is overloaded, and whether the daemon's machine reaches it: try "docker pull" there`,
	PullUntrusted:         `renew the certificate if it has expired or is for another name, or put its CA on the daemon's machine as ca.crt below /etc/docker/certs.d: "lightd docs images"`,
	PullNoTLS:             `give the registry TLS, or list it as an insecure one in the configuration of the engine: "lightd docs images"`,
	PullTLS:               `see what the registry, or a proxy before it, offers: "openssl s_client -connect HOST:PORT"`,
	PullNoPlatform:        `take an image, or a tag of it, that is built for this machine: "lightd edit ID"`,
	PullDenied:            `correct the image with "lightd edit ID"; where it is private, give credentials: "lightd docs registries"`,
	PullUnreachable:       `check the name and port of the registry, and the network of the daemon's machine: try "docker pull" there`,
	PullCutOff:            `check the registry, and proxies and the network before it: try "docker pull" on the daemon's machine`,
	PullNotFound:          `correct the image or its tag with "lightd edit ID"; or push it there, or load it here with "docker load"`,
	PullIncomplete:        `push the image to the registry once more`,
	PullServerError:       `read the log of the registry; its operator has to repair it`,
	PullBadAnswer:         `see whether the name leads to a registry at all, and not to a web page or a proxy before it`,
	PullNoCredentials:     `read why in the log of the daemon, and correct the file of images.credentials: "lightd docs registries"`,
	PullStalled:           `check the registry, and proxies and the network before it: try "docker pull" on the daemon's machine`,
	PullStalledHere:       `see what the engine's disk is busy with, and "journalctl -u docker" on the daemon's machine`,
	PullFailed:            `read more in the log of the engine on the daemon's machine with "journalctl -u docker"`,
}

// Remedy is what a person can do about f; empty for what is no fault.
func (f PullFault) Remedy() string { return pullRemedies[f] }

// Answered reports whether f is an answer that the registry gives again to the next request: who asks
// for the same image soon only burdens it.
func (f PullFault) Answered() bool {
	switch f {
	case PullRateLimited, PullUntrusted, PullNoTLS, PullTLS, PullNoPlatform, PullDenied, PullNotFound, PullIncomplete, PullServerError, PullBadAnswer:
		return true
	}
	return false
}

// Lasting reports whether f lasts until somebody puts it right: another name, other credentials, a push of the image,
// or trust in the registry's certificate.
func (f PullFault) Lasting() bool {
	switch f {
	case PullUntrusted, PullNoTLS, PullNoPlatform, PullDenied, PullNotFound, PullNoCredentials:
		return true
	}
	return false
}

// Of returns f as the message of a pull of ref.
func (f PullFault) Of(ref string) string { return "pull image " + ref + ": " + string(f) }

// PullFaultIn returns the fault that a message of Of names; empty for other messages.
func PullFaultIn(message string) PullFault {
	rest, is := strings.CutPrefix(message, "pull image ")
	_, fault, found := strings.Cut(rest, ": ")
	if _, known := pullRemedies[PullFault(fault)]; !is || !found || !known {
		return ""
	}
	return PullFault(fault)
}
