package desired

import "strconv"

// FormatSize is a size in bytes as a sentence has it: as in "65 MiB" where that is exact, else in bytes.
func FormatSize(n int64) string {
	for i, unit := range []string{" TiB", " GiB", " MiB", " KiB"} {
		if size := int64(1) << (40 - 10*i); n >= size && n%size == 0 {
			return strconv.FormatInt(n/size, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}
