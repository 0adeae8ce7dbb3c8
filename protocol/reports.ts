/** Reports about the page of an open door: what may be wrong with it, for every side that says so. */

export const reportKinds = ["phishing", "malware", "illegal", "rights", "other"] as const;
export type ReportKind = (typeof reportKinds)[number];
