/** Trust logs, told as story.ts tells them, and who is in after each. */

export const stories: readonly [what: string, story: string, expected: string][] = [
  ["the founding alone", "", "ada admin, n0 peer"],
  ["an admin grants", "10 ada grants ben operator", "ada admin, ben operator, n0 peer"],
  ["an admin admits a node", "10 ada admits n1 runner", "ada admin, n0 peer, n1 runner"],
  [
    "who is no admin grants nothing",
    "10 ben grants cleo operator; 11 n0 admits n1 peer",
    "ada admin, n0 peer",
  ],
  [
    "an operator is no admin",
    "10 ada grants ben operator; 20 ben grants cleo viewer",
    "ada admin, ben operator, n0 peer",
  ],
  [
    "an admin makes an admin, who acts",
    "10 ada grants ben admin; 20 ben grants cleo viewer",
    "ada admin, ben admin, cleo viewer, n0 peer",
  ],
  [
    "an admin whose clock is behind acts at once",
    "10 ada grants ben admin; 8 ben grants cleo admin; 7 cleo admits n1 peer",
    "ada admin, ben admin, cleo admin, n0 peer, n1 peer",
  ],
  [
    "two who only grant each other are nobody",
    "10 ben grants cleo admin; 10 cleo grants ben admin",
    "ada admin, n0 peer",
  ],
  [
    "the last word of an admin about a role stands",
    "10 ada grants ben operator; 20 ada grants ben viewer",
    "ada admin, ben viewer, n0 peer",
  ],
  [
    "an admin is unmade by revocation only",
    "10 ada grants ben admin; 20 ada grants ben viewer; 30 ben admits n1 peer",
    "ada admin, ben admin, n0 peer, n1 peer",
  ],

  ["a revoked node is out", "10 ada admits n1 peer; 20 ada revokes n1", "ada admin, n0 peer"],
  [
    "a revocation wins over what is granted later",
    "10 ada revokes ben; 20 ada grants ben operator; 30 ada admits ben peer",
    "ada admin, n0 peer",
  ],
  [
    "who is no admin revokes nobody",
    "10 ada grants ben operator; 20 ben revokes ada; 21 n0 revokes ada",
    "ada admin, ben operator, n0 peer",
  ],
  ["anyone may leave", "10 ada admits n1 runner; 20 n1 revokes n1", "ada admin, n0 peer"],
  [
    "what an admin did before its cut-off counts",
    "10 ada grants ben admin; 20 ben admits n1 peer; 40 ada revokes ben from 30",
    "ada admin, n0 peer, n1 peer",
  ],
  [
    "what it did after does not",
    "10 ada grants ben admin; 30 ben admits n1 peer; 40 ada revokes ben from 30",
    "ada admin, n0 peer",
  ],
  [
    "nor do the admins count that it made after",
    "10 ada grants ben admin; 20 ben grants cleo admin; 25 cleo grants dan admin; 30 dan admits n1 peer; 40 ada revokes ben from 15",
    "ada admin, n0 peer",
  ],
  [
    "those that it made before do",
    "10 ada grants ben admin; 20 ben grants cleo admin; 50 cleo admits n1 peer; 40 ada revokes ben from 30",
    "ada admin, cleo admin, n0 peer, n1 peer",
  ],
  [
    "of two admins who revoke each other the first wins",
    "5 ada grants ben admin; 10 ben revokes ada; 20 ada revokes ben",
    "ben admin, n0 peer",
  ],
  [
    "a revocation by one revoked later stands",
    "5 ada grants ben admin; 6 ada grants cleo admin; 10 ben revokes cleo; 20 ada revokes ben from 1",
    "ada admin, n0 peer",
  ],
  [
    "a founder that leaves keeps what it founded",
    "10 ada grants ben admin; 20 ada revokes ada; 30 ben admits n1 peer",
    "ben admin, n0 peer, n1 peer",
  ],

  [
    "an invite brings in",
    "10 ada invites i peer; 20 i brings n1 via n0",
    "ada admin, n0 peer, n1 peer",
  ],
  ["an invite of nobody brings in nobody", "20 i brings n1 via n0 as peer", "ada admin, n0 peer"],
  [
    "an invite by who is no admin neither",
    "10 n0 invites i peer; 20 i brings n1 via n0",
    "ada admin, n0 peer",
  ],
  [
    "an invite is for one role",
    "10 ada invites i viewer; 20 i brings ben via n0 as operator",
    "ada admin, n0 peer",
  ],
  [
    "an invite is good once",
    "10 ada invites i peer; 20 i brings n1 via n0; 30 i brings n2 via n0",
    "ada admin, n0 peer, n1 peer",
  ],
  [
    "or as often as it says, by the time of acceptance",
    "10 ada invites i peer uses 2; 40 i brings n1 via n0; 20 i brings n2 via n0; 30 i brings n3 via n0",
    "ada admin, n0 peer, n2 peer, n3 peer",
  ],
  [
    "the same key again takes no use",
    "10 ada invites i peer uses 2; 20 i brings n1 via n0; 21 i brings n1 via n0; 30 i brings n2 via n0",
    "ada admin, n0 peer, n1 peer, n2 peer",
  ],
  [
    "an invite is good until it expires",
    "10 ada invites i peer until 20 uses 9; 20 i brings n1 via n0; 21 i brings n2 via n0",
    "ada admin, n0 peer, n1 peer",
  ],
  [
    "only a peer accepts",
    "10 ada admits n1 runner; 11 ada invites i peer uses 9; 20 i brings n2 via n1; 21 i brings n3 via ada; 22 i brings n4 via n9",
    "ada admin, n0 peer, n1 runner",
  ],
  [
    "one that came by an invite accepts",
    "10 ada invites i peer uses 2; 20 i brings n1 via n0; 30 i brings n2 via n1",
    "ada admin, n0 peer, n1 peer, n2 peer",
  ],
  [
    "although its clock is behind that of who accepted it",
    "10 ada invites i peer uses 2; 20 i brings n1 via n0; 19 i brings n2 via n1",
    "ada admin, n0 peer, n1 peer, n2 peer",
  ],
  [
    "two that only accept each other are nobody",
    "10 ada invites i peer uses 2; 20 i brings n1 via n2; 20 i brings n2 via n1",
    "ada admin, n0 peer",
  ],
  [
    "a revoked peer accepts nobody from its cut-off on",
    "10 ada admits n1 peer; 11 ada invites i peer uses 9; 20 i brings n2 via n1; 30 i brings n3 via n1; 40 ada revokes n1 from 25",
    "ada admin, n0 peer, n2 peer",
  ],
  [
    "a revoked invite brings in nobody from its cut-off on",
    "10 ada invites i peer uses 9; 20 i brings n1 via n0; 30 ada revokes i; 40 i brings n2 via n0",
    "ada admin, n0 peer, n1 peer",
  ],
  [
    "invites of a cut-off admin are none",
    "5 ada grants ben admin; 10 ben invites i peer; 20 i brings n1 via n0; 30 ada revokes ben from 8",
    "ada admin, n0 peer",
  ],
  [
    "an admin by invite is an admin",
    "10 ada invites i admin; 20 i brings ben via n0; 30 ben invites j peer; 40 j brings n1 via n0",
    "ada admin, ben admin, n0 peer, n1 peer",
  ],
  [
    "and may revoke",
    "10 ada invites i admin; 20 i brings ben via n0; 30 ben revokes ada",
    "ben admin, n0 peer",
  ],

  // Nobody asked the one who is brought in: a peer and the holder of an invite could do these.
  [
    "an invite makes no viewer of an admin",
    "10 ada invites i viewer; 20 i brings ada via n0",
    "ada admin, n0 peer",
  ],
  [
    "an invite makes no node of a person",
    "10 ada invites i runner; 20 i brings ada via n0",
    "ada admin, n0 peer",
  ],
  [
    "an invite makes no runner of a peer",
    "10 ada invites i runner; 20 i brings n0 via n0",
    "ada admin, n0 peer",
  ],
  [
    "an invite makes no person of a node",
    "10 ada invites i viewer; 20 i brings n0 via n0",
    "ada admin, n0 peer",
  ],
  [
    "an admin's word outlasts an invite used before it",
    "5 ada invites i operator; 10 i brings ben via n0; 20 ada grants ben viewer",
    "ada admin, ben viewer, n0 peer",
  ],
  [
    "an admin whom an invited admin cuts off invited nobody",
    "5 ada grants ben admin; 6 ada invites i admin; 7 i brings dan via n0; 10 ben invites j admin; 11 j brings cleo via n0; 12 cleo admits n1 peer; 20 dan revokes ben from 8",
    "ada admin, dan admin, n0 peer",
  ],
  [
    "an invite makes more of a viewer",
    "5 ada grants ben viewer; 10 ada invites i operator; 20 i brings ben via n0",
    "ada admin, ben operator, n0 peer",
  ],
  [
    "an invite makes a peer of a runner",
    "5 ada admits n1 runner; 10 ada invites i peer; 20 i brings n1 via n0",
    "ada admin, n0 peer, n1 peer",
  ],
];

/** The lines of a story. */
export const lines = (story: string) => story.split(";").filter((line) => line.trim() !== "");
