package observed

// VolumeQuota is what is known of the quota of a volume. The zero value is that nothing is known yet.
type VolumeQuota struct {
	Known bool
	// Bytes is the quota; 0 is none.
	Bytes int64
	// Used is what the volume took of the disk when it was last measured.
	Used int64
	Use  QuotaUse
}

// QuotaUse is how much of a quota is used.
type QuotaUse int

// The uses. From one that is over the quota on, less than 95 % of it end the excess: NearQuota leaves it as it was.
const (
	QuotaNotMeasured QuotaUse = iota
	BelowQuota
	NearQuota
	OverQuota
)
