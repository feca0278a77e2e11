package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
)

// quantity is a number with a unit behind it.
var quantity = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$`)

// byteUnits are powers of 1024, in the words of Kubernetes and in those of Docker. An upper case
// letter alone is a power of 1000 to the one and of 1024 to the other: it is none here.
var byteUnits = map[string]int64{
	"": 1, "b": 1,
	"Ki": 1 << 10, "KiB": 1 << 10, "k": 1 << 10, "kb": 1 << 10,
	"Mi": 1 << 20, "MiB": 1 << 20, "m": 1 << 20, "mb": 1 << 20,
	"Gi": 1 << 30, "GiB": 1 << 30, "g": 1 << 30, "gb": 1 << 30,
	"Ti": 1 << 40, "TiB": 1 << 40, "t": 1 << 40, "tb": 1 << 40,
}

// withUnits replaces limits that are written with a unit, as memory 512Mi and cpu 500m, by what the
// daemon takes: bytes and cores. It returns what is wrong, by path.
func withUnits(fields map[string]any) map[string]string {
	limits, is := fields["limits"].(map[string]any)
	if !is {
		return nil
	}
	wrong := map[string]string{}
	for name, parse := range map[string]func(string) (json.Number, string){"memory": parseBytes, "swap": parseBytes, "memory_reservation": parseBytes, "cpu": parseCores} {
		text, is := limits[name].(string)
		if !is {
			continue
		}
		if number, problem := parse(text); problem != "" {
			wrong["limits."+name] = problem
		} else {
			limits[name] = number
		}
	}
	return wrong
}

// Bytes reads a size in bytes, as in 512Mi, 1.5Gi or 2g.
func Bytes(text string) (json.Number, error) { return asError(parseBytes(text)) }

// Cores reads a number of cores, as in 1.5 or 500m.
func Cores(text string) (json.Number, error) { return asError(parseCores(text)) }

func asError(n json.Number, problem string) (json.Number, error) {
	if problem != "" {
		return "", errors.New(problem)
	}
	return n, nil
}

// volumeUnits replaces a quota that is written with a unit by what the daemon takes: bytes.
func volumeUnits(fields map[string]any) map[string]string {
	text, is := fields["quota_bytes"].(string)
	if !is {
		return nil
	}
	number, problem := parseBytes(text)
	if problem != "" {
		return map[string]string{"quota_bytes": problem}
	}
	fields["quota_bytes"] = number
	return nil
}

// parseBytes reads a size, as in 512Mi, 1.5Gi or 2g.
func parseBytes(text string) (json.Number, string) {
	m := quantity.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Sprintf("%q is no size as in 512Mi, 1.5Gi, 2g or a number of bytes", text)
	}
	unit, known := byteUnits[m[2]]
	switch {
	case !known && byteUnits[strings.ToLower(m[2])] > 0:
		return "", fmt.Sprintf("%q can mean two sizes: write %s%si for powers of 1024, or the number of bytes", text, m[1], strings.ToUpper(m[2][:1]))
	case !known:
		return "", fmt.Sprintf("%q has an unknown unit: there are Ki, Mi, Gi, Ti, and k, m, g, t for the same", text)
	}
	number, _ := new(big.Rat).SetString(m[1])
	number.Mul(number, new(big.Rat).SetInt64(unit))
	whole := new(big.Int).Quo(number.Num(), number.Denom())
	if !whole.IsInt64() {
		return "", fmt.Sprintf("%q is more than a number of bytes can be (%d)", text, int64(math.MaxInt64))
	}
	return json.Number(whole.String()), ""
}

// parseCores reads a number of cores, as in 1.5 or 500m.
func parseCores(text string) (json.Number, string) {
	m := quantity.FindStringSubmatch(text)
	if m == nil || m[2] != "" && m[2] != "m" {
		return "", fmt.Sprintf("%q is no number of cores as in 1.5, or of thousandths of one as in 500m", text)
	}
	number, _ := new(big.Rat).SetString(m[1])
	if m[2] == "m" {
		number.Mul(number, big.NewRat(1, 1000))
	}
	return json.Number(strings.TrimSuffix(strings.TrimRight(number.FloatString(6), "0"), ".")), ""
}
