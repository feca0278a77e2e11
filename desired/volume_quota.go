package desired

// VolumeUse is what the files of a volume take of the disk.
type VolumeUse struct {
	Bytes int64
	// AtLeast is true of a volume that has more files than are counted: it takes Bytes at least.
	AtLeast bool
	// Enforced is true where the kernel counts, and refuses what exceeds the quota.
	Enforced bool
}

// ValidateVolumeQuota checks the quota of a volume, in bytes; 0 is none.
func ValidateVolumeQuota(field string, bytes int64) error {
	if bytes != 0 && bytes < MinVolumeQuota {
		return Invalid(field, "must be 0 for none, or at least "+FormatSize(MinVolumeQuota))
	}
	return nil
}

// MinVolumeQuota is the least quota of a volume, in bytes: file systems take what files need by blocks.
const MinVolumeQuota = 1 << 20
