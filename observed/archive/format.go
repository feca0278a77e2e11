package archive

import (
	"bytes"
	"io"
	"strings"

	"lightd/observed/files"
)

// Format is a kind of archive.
type Format string

// The formats.
const (
	TarGzip Format = "tar.gz"
	TarZstd Format = "tar.zst"
	Tar     Format = "tar"
	Zip     Format = "zip"
)

// Formats are all of them.
var Formats = []Format{TarGzip, TarZstd, Tar, Zip}

// The refusals.
const (
	// ErrFormat is a file that is no archive of a known format.
	ErrFormat files.Error = "It is no archive of a known format"
	// ErrDamaged is an archive that cannot be read to its end.
	ErrDamaged files.Error = "The archive is damaged"
	// ErrUnsafe is an archive with an entry that leads out of it.
	ErrUnsafe files.Error = "The archive has an entry that leads out of it"
	// ErrTooLarge is an archive with more entries, or a larger directory, than are unpacked.
	ErrTooLarge files.Error = "The archive has too many entries"
	// ErrSameName are two paths whose entries would have one name in an archive.
	ErrSameName files.Error = "Two paths end with the same name"
)

// OfName returns the format that a file's name ends with; ok is false where it ends with none.
func OfName(name string) (format Format, ok bool) {
	name = strings.ToLower(name)
	for suffix, format := range map[string]Format{".tar.gz": TarGzip, ".tgz": TarGzip, ".tar.zst": TarZstd, ".tzst": TarZstd, ".tar": Tar, ".zip": Zip} {
		if strings.HasSuffix(name, suffix) {
			return format, true
		}
	}
	return "", false
}

// detect returns the format of an archive by its first bytes.
func detect(f io.ReaderAt) (Format, error) {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return TarGzip, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return TarZstd, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return Zip, nil
	case n >= 262 && string(head[257:262]) == "ustar":
		return Tar, nil
	}
	return "", ErrFormat
}
