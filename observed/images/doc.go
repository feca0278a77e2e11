// Package images keeps what Docker has of image references, and pulls images.
//
// What it guarantees:
//
//   - Reading never touches Docker: a reference that was never requested is unknown, and
//     inspected in the background.
//   - One pull a reference at a time, a bounded number over all. A pull without progress is
//     ended long before the deadline of the whole.
//   - Changed is called after the news is there to read. A pull that succeeded shows its
//     image at the instant at which it stops showing as a pull. The progress of a pull is
//     published at intervals, and a pull that is over soon publishes its end alone.
//   - What happens to an image in Docker is observed by its events, and whatever was missed
//     is found again when the stream of events is back. Docker loses events all the same: what
//     is missing is inspected every 5 min, with a twelfth of what is there.
//   - Retain drops what is not needed.
package images
