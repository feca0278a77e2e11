package replay

// The notices of gaps.
const (
	NoticeTorn      = "Output is missing here: Docker's log no longer holds all that was printed since %s"
	NoticeRotated   = "Output may be missing before %s: Docker's log no longer holds all that was printed%s"
	NoticeMoved     = "Output is missing here: the container was made anew, and what it printed before is gone"
	NoticeLost      = "Output may be missing or repeated here: Docker's log does not hold the last known lines"
	NoticeLivePoint = "Output may be missing or repeated here: Docker's log does not meet the live output"
	NoticeNoLog     = "Output may be missing here: Docker's log cannot be read"
	NoticeDamaged   = "Output may be missing here: Docker's log is damaged"
)
