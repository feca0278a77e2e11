package desired

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"lightd/desired/registry"
)

// snapshotNamespace is where the snapshots of all instances are kept, as Docker shows it.
const snapshotNamespace = "lightd/"

// SnapshotRepository returns the name under which the snapshots of an instance are kept; the tag is
// the owner's.
func SnapshotRepository(instance string) string { return snapshotNamespace + instance }

// SnapshotRef names the image that keeps an installation of the container id.
func SnapshotRef(instance, id string, request int64) string {
	return fmt.Sprintf("%s:%s.%d", SnapshotRepository(instance), id, request)
}

// ParseSnapshotRef reads back what SnapshotRef wrote, of whatever instance.
func ParseSnapshotRef(ref string) (instance, id string, request int64, ok bool) {
	repository, tag, found := strings.Cut(ref, ":")
	instance, ours := strings.CutPrefix(repository, snapshotNamespace)
	dot := strings.LastIndexByte(tag, '.')
	if !found || !ours || instance == "" || strings.ContainsRune(instance, '/') || dot <= 0 {
		return "", "", 0, false
	}
	request, err := strconv.ParseInt(tag[dot+1:], 10, 64)
	if err != nil {
		return "", "", 0, false
	}
	return instance, tag[:dot], request, true
}

// HasDigest reports whether ref names one image by its digest, for ever.
func HasDigest(ref string) bool {
	named, err := reference.ParseNormalizedNamed(ref)
	_, is := named.(reference.Digested)
	return err == nil && is
}

// IsSnapshot reports whether ref, in whatever form, is in the namespace of snapshots.
func IsSnapshot(ref string) bool {
	named, err := reference.ParseNormalizedNamed(ref)
	return err == nil && strings.HasPrefix(reference.FamiliarName(named), snapshotNamespace)
}

// imageID is what an engine resolves as the id of an image, or as the beginning of one.
var imageID = regexp.MustCompile(`^(sha256|sha384|sha512)[:@]|^[0-9a-f]+$`)

// CheckImage reports why the container owner cannot be made from the image ref: only references
// that every engine resolves as a name pass, and the snapshots of other containers do not. From where
// it can be pulled is for a pull.
func (r Rules) CheckImage(ref, owner string) error {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return fmt.Errorf("%s is no image reference: %w", Quote(ref), err)
	}
	if imageID.MatchString(ref) {
		return fmt.Errorf("%s can be the id of an image, which is no image reference: write the name with its registry, as in %s",
			Quote(ref), reference.TagNameOnly(named))
	}
	if !IsSnapshot(ref) {
		return r.checkAllowed(named)
	}
	instance, id, _, ok := ParseSnapshotRef(reference.FamiliarString(named))
	if ok && instance == r.Instance && id == owner {
		return nil
	}
	return fmt.Errorf("%s is in %s, where the installations of containers are kept, each for its own container alone", Quote(ref), snapshotNamespace)
}

// allRegistries is the entry of AllowedImages for all public registries beside the listed ones.
const allRegistries = "*"

// checkAllowed reports an image that the operator does not allow.
func (r Rules) checkAllowed(named reference.Named) error {
	if len(r.AllowedImages) == 0 || r.listed(named) || slices.Contains(r.AllowedImages, allRegistries) {
		return nil
	}
	return fmt.Errorf("%s is in no registry and no repository of images.allowed", Quote(named.Name()))
}

// listed reports whether the operator has listed the registry or the repository of an image.
func (r Rules) listed(named reference.Named) bool {
	return slices.ContainsFunc(r.AllowedImages, func(allowed string) bool {
		return named.Name() == allowed || strings.HasPrefix(named.Name(), allowed+"/")
	})
}

// dockerHub is the registry of the references that name none.
const dockerHub = "docker.io"

// UnlistedRegistry returns the registry, with its port, that an image is pulled from where only a public
// address may be it: the operator has not listed it, and it is not Docker Hub, whose name no client
// chooses. Otherwise it is empty.
func (r Rules) UnlistedRegistry(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil || reference.Domain(named) == dockerHub || r.listed(named) {
		return ""
	}
	return reference.Domain(named)
}

// checkRegistry reports an image whose registry is at no public address, by its name alone.
func (r Rules) checkRegistry(ref string) error {
	if domain := r.UnlistedRegistry(ref); domain != "" {
		if err := registry.Check(domain); err != nil {
			return fmt.Errorf("cannot be pulled: %w", err)
		}
	}
	return nil
}

var allowedImage = regexp.MustCompile(`^([a-z0-9][a-z0-9.-]*|\[[0-9a-f:]+\])(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

// CheckAllowedImage reports what is wrong with an entry of AllowedImages: a registry, or one with the
// beginning of a path or the whole of it, as in docker.io/library, or "*" for all at public addresses.
func CheckAllowedImage(entry string) error {
	domain, _, _ := strings.Cut(entry, "/")
	if entry == allRegistries || allowedImage.MatchString(entry) && (domain == "localhost" || strings.ContainsAny(domain, ".:")) && canMatch(entry) {
		return nil
	}
	return fmt.Errorf("%s is no registry, with a path below it or without, as in ghcr.io/team or docker.io/library, and not %q", Quote(entry), allRegistries)
}

// canMatch reports whether there are names of images below an entry of AllowedImages, as they are compared.
func canMatch(entry string) bool {
	below := entry + "/a/a" // with two more parts: "docker.io/a" is docker.io/library/a
	named, err := reference.ParseNormalizedNamed(below)
	if err != nil || named.Name() != below {
		return false
	}
	at := strings.LastIndexByte(reference.Domain(named), ':')
	if at < 0 || strings.HasSuffix(reference.Domain(named), "]") {
		return true
	}
	port, err := strconv.ParseUint(reference.Domain(named)[at+1:], 10, 16)
	return err == nil && port > 0
}
